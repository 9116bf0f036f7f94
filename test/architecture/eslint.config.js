import tseslint from 'typescript-eslint'

export default tseslint.config(
  {
    files: [
      'src/**/*.ts',
      'src/expose/page/*.js',
      'test/**/*.ts',
      'bench/**/*.ts',
      'examples/**/*.ts',
      'deploy/**/*.ts'
    ],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: new URL('../..', import.meta.url).pathname }
    },
    rules: {
      'no-warning-comments': ['error', { terms: ['fixme', 'xxx', 'todo'] }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // Typed columns are read by index in every hot loop: `as number` after a bounds-safe loop is the idiom (D3).
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportAllDeclaration', message: 'Name what a folder exports.' },
        { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' }
      ]
    }
  },
  {
    files: ['src/expose/page/*.js'],
    rules: {
      // Types in comments have no short way to say that an index is in bounds, so there an index is taken to be; a look
      // whether it was is no mistake.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // A type given in a comment counts for tsc; these rules look through it at the JSON below.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off'
    }
  }
)
