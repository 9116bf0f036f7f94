import { QUANTILES, RequestClass } from '../model/requests.ts'
import { type OperationTable } from '../model/tail.ts'
import { type Strings } from '../runtime/strings.ts'
import { BY_STRUCTURE } from './classes.ts'
import { grown } from './columns.ts'
import { type LoadedLearning } from './loaded-learning.ts'
import { BandFlag, type PublishedBands, type WantedExamples } from './published-bands.ts'

const NOTHING = 0
const PUBLISHED = 128

/** What other threads judge requests by, kept up to date row by row. */
export interface PublishedRows {
  /** What is published of the row is out of date. */
  readonly changed: (row: number) => void
  /** Of the flags alone, without the examples that are due. */
  readonly isPublishedAs: (row: number, flags: number) => boolean
  /** Publishes the rows that changed. */
  readonly publish: (nowMs: number) => void
  /** What is known of operations that have no row yet holds from their first request on. */
  readonly publishEarlier: (learning: LoadedLearning) => void
  readonly forgetEarlier: (learning: LoadedLearning) => void
}

export interface PublishedRowsParts {
  readonly table: OperationTable
  readonly bands: PublishedBands
  readonly strings: Strings
  /** The operation's row: -1 without one. */
  readonly find: (service: number, operation: number) => number
  readonly isFull: () => boolean
  /** Which requests of a row may be examples. */
  readonly wanted: (row: number, nowMs: number) => WantedExamples
  /** Without the examples that are due. */
  readonly flagsOf: (row: number) => number
}

export function createPublishedRows(parts: PublishedRowsParts): PublishedRows {
  const { table, bands, strings, find, flagsOf } = parts
  /** Rows to publish at the next tick, each once. */
  const changedRows: number[] = []
  let isChanged = new Uint8Array(0)
  /** What each row is published as; NOTHING without. */
  let publishedFlags = new Uint8Array(0)
  let publishedService = new Uint32Array(0)
  let publishedOperation = new Uint32Array(0)

  function changed(row: number): void {
    if (isChanged[row] === 1) return
    if (row >= isChanged.length) {
      const rows = table.live.length
      isChanged = grown(isChanged, rows)
      publishedFlags = grown(publishedFlags, rows)
      publishedService = grown(publishedService, rows)
      publishedOperation = grown(publishedOperation, rows)
    }
    isChanged[row] = 1
    changedRows.push(row)
  }

  function publish(nowMs: number): void {
    for (const row of changedRows) {
      isChanged[row] = 0
      publishRow(row, nowMs)
    }
    changedRows.length = 0
    bands.setFull(parts.isFull())
  }

  function publishRow(row: number, nowMs: number): void {
    const [service, operation] = [table.service[row] as number, table.operation[row] as number]
    const isSame = service === publishedService[row] && operation === publishedOperation[row]
    const live = table.live[row] === 1
    if (publishedFlags[row] !== NOTHING && !(live && isSame)) {
      // Another row may have the name by now.
      if (find(publishedService[row] as number, publishedOperation[row] as number) < 0)
        bands.delete(publishedService[row] as number, publishedOperation[row] as number)
      publishedFlags[row] = NOTHING
    }
    if (!live) return
    const { due, floorNs } = parts.wanted(row, nowMs)
    const flags = flagsOf(row)
    const thresholdNs = table.thresholdNs.subarray(row * QUANTILES, (row + 1) * QUANTILES)
    bands.set(service, operation, { thresholdNs, flags: flags | (due * BandFlag.dueFirst), floorNs })
    publishedService[row] = service
    publishedOperation[row] = operation
    publishedFlags[row] = flags | PUBLISHED
  }

  /** What is known of operations that have no row yet holds from their first request on. */
  function publishEarlier(learning: LoadedLearning): void {
    for (const { service, operation } of learning.learned.thresholds) {
      const [serviceId, operationId] = [strings.internText(service), strings.internText(operation)]
      if (find(serviceId, operationId) >= 0) continue
      const flags = learning.isStream(serviceId, operationId) ? RequestClass.stream : BY_STRUCTURE
      bands.set(serviceId, operationId, {
        thresholdNs: learning.thresholdsOf(serviceId, operationId),
        flags,
        floorNs: -1
      })
    }
  }

  function forgetEarlier(learning: LoadedLearning): void {
    for (const { service, operation } of learning.learned.thresholds) {
      const [serviceId, operationId] = [strings.internText(service), strings.internText(operation)]
      if (find(serviceId, operationId) < 0) bands.delete(serviceId, operationId)
    }
  }

  return {
    changed,
    isPublishedAs: (row, flags) => (flags | PUBLISHED) === publishedFlags[row],
    publish,
    publishEarlier,
    forgetEarlier
  }
}
