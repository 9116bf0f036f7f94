# Tailspan needs no build: Node runs the TypeScript as it is. This only gathers what runs. Images are named by tag, of Node to the
# patch; whoever builds for others pins what the tags are that day: node deploy/pin-images.ts --write.
FROM node:24.21.0-bookworm-slim AS gather
WORKDIR /app
COPY package.json package-lock.json ./
# Optional packages carry a Node for developers without one; scripts of packages have no business in a build.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund && npm cache clean --force
# What is in the image, for those who must know (CycloneDX).
COPY deploy/bill-of-materials.ts ./
RUN node bill-of-materials.ts > sbom.cdx.json

# Distroless: no shell, no package manager, nothing to update but libc. It has no Node either, on purpose: the one
# above is copied, so that the version is pinned to the patch, which the tags of distroless with Node are not.
FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="Tailspan" \
      org.opencontainers.image.description="Tells why the slowest one percent of requests is slow: OTLP in, phases out, on /metrics." \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
COPY --from=gather /usr/local/bin/node /usr/local/bin/node
COPY --from=gather /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY --from=gather /app/sbom.cdx.json ./
COPY config ./config
COPY deploy/runbooks ./deploy/runbooks
COPY src ./src
# Large tables get memory of their own, which goes back to the kernel when they shrink: otherwise the C library keeps up to a
# third of a burst (D86).
ENV MALLOC_MMAP_THRESHOLD_=262144 MALLOC_TRIM_THRESHOLD_=262144 MALLOC_ARENA_MAX=2
ENV NODE_ENV=production TAILSPAN_CONFIG=/app/config/image.yaml
# By number, so that Kubernetes can see that it is not root. Nothing is written: a read-only root file system is fine.
USER 65532:65532
# OTLP/gRPC, OTLP/HTTP, and metrics, API and health.
EXPOSE 4317 4318 9464
HEALTHCHECK --interval=10s --timeout=3s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9464/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "src/main.ts"]
CMD ["serve"]
