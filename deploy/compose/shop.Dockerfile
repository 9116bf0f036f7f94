# The shop of examples/shop with the toolchains that build it: Go and Rust services, their load, and causes of slowness.
FROM node:24.21.0-bookworm-slim AS node
FROM golang:1.26-bookworm AS go
FROM rust:1.95-bookworm
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=go /usr/local/go /usr/local/go
ENV PATH=/usr/local/go/bin:$PATH
RUN useradd --create-home shop && mkdir /shop && chown shop /shop
USER shop
WORKDIR /shop
COPY --chown=shop package.json ./
COPY --chown=shop instrumentation ./instrumentation
COPY --chown=shop examples/shop ./examples/shop
COPY --chown=shop deploy/compose/shop.ts ./deploy/compose/shop.ts
RUN ["node", "deploy/compose/shop.ts", "--build-only"]
ENTRYPOINT ["node", "deploy/compose/shop.ts"]
