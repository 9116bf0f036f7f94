import { describe, expect, test } from '@jest/globals'
import { withParts } from '../../bench/results.ts'

const whole = `# How fast

\`npm run bench\` on a machine.
Yardstick: 1 ns.

## Forwarding (\`forward\`)

| 1.30 |

## TLS (\`tls\`)

| 1.09 |
`

describe('parts of the bench written over', () => {
  test('a part takes the place of what was measured before, and says how it was measured; nothing else changes', () => {
    const later =
      '# How fast\n\n`npm run bench -- forward` on a machine.\nYardstick: 2 ns.\n\n## Forwarding (`forward`)\n\n| 1.25 |'
    const after = withParts(whole, later)
    const about = 'Measured later than the rest: `npm run bench -- forward` on a machine. Yardstick: 2 ns.'
    expect(after).toBe(whole.replace('| 1.30 |', `| 1.25 |\n\n${about}`))
    expect(withParts(after, later)).toBe(after)
  })

  test('a part that was not there goes to the end', () => {
    const after = withParts(whole, '# How fast\n\n`npm run bench -- new`.\n\n## New (`new`)\n\n| 1 |')
    expect(after).toBe(
      `${whole}\n## New (\`new\`)\n\n| 1 |\n\nMeasured later than the rest: \`npm run bench -- new\`.\n`
    )
  })
})
