import { parentPort, workerData } from 'node:worker_threads'
import { pause } from '../../builders/live-service.ts'
import { createLedger } from '../ledger.ts'
import { postNoting } from './noting.ts'
import { type OpenLoopFacts, type OpenLoopPlan } from './open-loop.ts'
import { createTemplate } from './template-body.ts'

const { address, service, spansPerBody, bodiesPerSecond, senders, forMs } = workerData as OpenLoopPlan
const TURN_MS = 10

const account = createLedger().account(service)
const nextBody = createTemplate(service, spansPerBody)
const startedMs = performance.now()
const elapsedMs = (): number => performance.now() - startedMs

async function sendOne(): Promise<void> {
  await postNoting(address, nextBody(), { account, requests: spansPerBody })
}

/** Each as soon as the last was answered. */
async function closedLoop(): Promise<number> {
  await Promise.all(
    Array.from({ length: senders }, async () => {
      while (elapsedMs() < forMs) await sendOne()
    })
  )
  return 0
}

async function openLoop(): Promise<number> {
  const waiting = new Set<Promise<void>>()
  let due = 0
  let unsent = 0
  while (elapsedMs() < forMs) {
    for (; due < (elapsedMs() / 1000) * bodiesPerSecond; due++) {
      if (waiting.size >= senders) {
        unsent += 1
        continue
      }
      const sent = sendOne().then(() => void waiting.delete(sent))
      waiting.add(sent)
    }
    await pause(TURN_MS)
  }
  await Promise.all(waiting)
  return unsent
}

const unsent = bodiesPerSecond === Infinity ? await closedLoop() : await openLoop()
const facts: OpenLoopFacts = { bodies: account.bodies, unsent, tookMs: elapsedMs() }
parentPort?.postMessage(facts)
