const STAGES = 'accept|assemble|decompose|durability|explain|expose|forward'

/** Who may import whom, each with its reason. test/architecture/import-rules.test.ts makes every rule fire once. */
/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'stages-do-not-know-each-other',
      comment:
        'A stage hands items to `next`; only a composition root knows who that is. Move the shared noun to src/model.',
      severity: 'error',
      from: { path: `^src/(${STAGES})/` },
      to: { path: `^src/(${STAGES})/`, pathNot: '^src/$1/' }
    },
    {
      name: 'pure-stages-touch-no-io',
      comment:
        'decompose and explain must replay to the same answer from a file: no node core, no packages. Only their settings.ts may describe itself with zod.',
      severity: 'error',
      from: { path: '^src/(decompose|explain|model)/', pathNot: '/settings[.]ts$' },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-optional'] }
    },
    {
      name: 'model-is-the-floor',
      comment: 'model holds nouns. All it may name is the exact sums its tables are made of.',
      severity: 'error',
      from: { path: '^src/model/' },
      to: { path: '^src/', pathNot: ['^src/model/', '^src/runtime/exact-sums[.]ts$'] }
    },
    {
      name: 'runtime-knows-no-domain',
      comment: 'runtime could be lifted into another project as it is.',
      severity: 'error',
      from: { path: '^src/runtime/' },
      to: { path: '^src/', pathNot: '^src/runtime/' }
    },
    {
      name: 'access-knows-no-stage',
      comment: 'Who may come in is decided the same for every port, and knows nothing of what comes.',
      severity: 'error',
      from: { path: '^src/access/' },
      to: { path: '^src/', pathNot: '^src/(access|runtime)/' }
    },
    {
      name: 'roots-enter-by-the-front-door',
      comment: "index.ts is a folder's public face. The rest may be rewritten without asking anyone.",
      severity: 'error',
      from: { path: '^src/(main[.]ts|pipeline[.]ts|pipeline/|programs/)' },
      to: { path: `^src/(${STAGES}|access)/`, pathNot: '/index[.]ts$' }
    },
    {
      name: 'settings-reads-only-settings',
      comment: 'src/settings joins what each stage declares; it must not run a stage to do so.',
      severity: 'error',
      from: { path: '^src/settings/' },
      to: { path: '^src/', pathNot: ['^src/settings/', '^src/runtime/', '/settings[.]ts$'] }
    },
    {
      name: 'nothing-imports-a-root',
      comment: 'main, pipeline and programs compose. Only main and programs may ask for the pipeline.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(main[.]ts|pipeline[.]ts|pipeline/|programs/)' },
      to: { path: '^src/(main[.]ts|pipeline[.]ts|pipeline/|programs/)' }
    },
    {
      name: 'no-cycles',
      comment: 'A cycle means two files are one idea.',
      severity: 'error',
      from: {},
      to: { circular: true }
    },
    {
      name: 'src-never-imports-test',
      comment: 'Builders live in test.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench)/' }
    }
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default']
    }
  }
}
