import { spawnSync } from 'node:child_process'
import { expect } from '@jest/globals'
import { fullExposer } from './full-exposition.ts'
import { testWith } from './prometheus.ts'

const promtoolTest = testWith('promtool')

promtoolTest('promtool check metrics finds nothing to say about a full exposition', async () => {
  const open = fullExposer()
  // A collection, so that Node's own histogram has values too.
  global.gc?.()
  await open.scrape()
  const input = await open.scrape()
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' })
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
  await open.exposer.app.close()
})
