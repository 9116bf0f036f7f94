import { enlarge, growFloats, growInts } from '../scratch.ts'
import type { Step } from './steps.ts'

/** Receives the pieces of a section in time order: who covers it, and who stands on both sides (-1 = nobody, the edge). */
export type EmitPiece = (fromNs: number, toNs: number, cover: number, left: number, right: number) => void

export interface Cover {
  readonly begin: () => void
  /** A stretch to be told apart; `left` and `right` are the rows that bound it. Sections do not overlap. */
  readonly section: (fromNs: number, toNs: number, left: number, right: number) => void
  /** Someone who covers time. Of several, the lowest rank wins, then the first added. */
  readonly add: (row: number, rank: number, fromNs: number, toNs: number) => void
  readonly emit: (piece: EmitPiece) => void
  /** The same as steps, for so many covers that others would have to wait. */
  readonly steps: (piece: EmitPiece) => readonly Step[]
}

const RANKS = 4
/** Boundaries sorted in one go; sorted runs of more are merged. */
const RUN = 16_384
const NOBODY = -1

/**
 * Tells for each moment of some sections which of many overlapping intervals covers it. Intervals paint the cells between
 * all boundaries in order of rank; a painted cell is skipped by a union-find of next free cells, so it is O(k log k).
 *
 *   section   |---------------|        pieces  |--|bbbbb|aaaa|--|
 *   a rank 1     ==========
 *   b rank 0     =====
 */
export function createCover(): Cover {
  let sections = 0
  let sectionFrom = growFloats(16)
  let sectionTo = growFloats(16)
  let sectionLeft = growInts(16)
  let sectionRight = growInts(16)
  let covers = 0
  let coverRow = growInts(16)
  let coverRank = growInts(16)
  let coverFrom = growFloats(16)
  let coverTo = growFloats(16)
  let bounds = growFloats(64)
  let merged = growFloats(0)
  let width = RUN
  let cells = 0
  // How far the pieces are emitted: the section, the cell in it (NOBODY = at its start), and who stands to the left.
  let emitted = 0
  let emitCell = NOBODY
  let emitLeft = NOBODY
  let painter = growInts(64)
  let nextFree = growInts(64)

  function cellAt(ns: number): number {
    let low = 0
    let high = cells
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((bounds[middle] as number) < ns) low = middle + 1
      else high = middle
    }
    return low
  }

  function free(cell: number): number {
    let root = cell
    while (nextFree[root] !== root) root = nextFree[root] as number
    let at = cell
    while (nextFree[at] !== root) {
      const next = nextFree[at] as number
      nextFree[at] = root
      at = next
    }
    return root
  }

  /** Boundaries of sections and covers, in any order. */
  function layBounds(from: number, to: number): void {
    if (from === 0) {
      const most = 2 * (sections + covers)
      if (bounds.length < most + 1) {
        bounds = growFloats(most + 1)
        merged = growFloats(most > RUN ? most + 1 : 0)
      }
      cells = 0
      width = RUN
      emitted = 0
      emitCell = NOBODY
    }
    for (let i = from; i < to; i++) {
      const cover = i - sections
      bounds[2 * i] = (cover < 0 ? sectionFrom[i] : coverFrom[cover]) as number
      bounds[2 * i + 1] = (cover < 0 ? sectionTo[i] : coverTo[cover]) as number
    }
  }

  const boundsLaid = (): number => 2 * (sections + covers)

  function sortRuns(from: number, to: number): void {
    const n = boundsLaid()
    for (let left = Math.ceil(from / RUN) * RUN; left < to; left += RUN) {
      bounds.subarray(left, Math.min(left + RUN, n)).sort()
    }
  }

  // The pair of runs that is being merged, as in sort.ts; here of numbers, which need no order beside them.
  let nextA = 0
  let nextB = 0
  let endA = 0
  let endB = 0

  function mergeRuns(from: number, to: number): void {
    const n = boundsLaid()
    if (from === 0) endB = 0
    for (let at = from; at < to;) {
      if (at === endB) {
        nextA = at
        nextB = endA = Math.min(at + width, n)
        endB = Math.min(at + 2 * width, n)
      }
      at = mergePair(at, Math.min(to, endB))
    }
    if (to < n) return
    const other = merged
    merged = bounds
    bounds = other
    width *= 2
  }

  function mergePair(from: number, to: number): number {
    let a = nextA
    let b = nextB
    for (let at = from; at < to; at++) {
      const takeB = a >= endA || (b < endB && (bounds[b] as number) < (bounds[a] as number))
      merged[at] = (takeB ? bounds[b++] : bounds[a++]) as number
    }
    nextA = a
    nextB = b
    return to
  }

  /** Each boundary once, in place. */
  function layCells(from: number, to: number): void {
    for (let i = from; i < to; i++) {
      if (cells === 0 || bounds[i] !== bounds[cells - 1]) bounds[cells++] = bounds[i] as number
    }
  }

  function clearCells(from: number, to: number): void {
    if (from === 0 && painter.length < cells + 1) {
      painter = growInts(cells + 1)
      nextFree = growInts(cells + 1)
    }
    for (let cell = from; cell < to; cell++) {
      painter[cell] = NOBODY
      nextFree[cell] = cell
    }
  }

  function paint(rank: number, from: number, to: number): void {
    for (let i = from; i < to; i++) {
      if (coverRank[i] !== rank) continue
      const end = cellAt(coverTo[i] as number)
      for (let cell = free(cellAt(coverFrom[i] as number)); cell < end; cell = free(cell)) {
        painter[cell] = coverRow[i] as number
        nextFree[cell] = cell + 1
      }
    }
  }

  /** Goes on with the pieces of the sections, for about as many cells. */
  function emitCells(piece: EmitPiece, count: number): void {
    for (let left = count; left > 0 && emitted < sections;) {
      const end = cellAt(sectionTo[emitted] as number)
      if (emitCell === NOBODY) {
        emitCell = cellAt(sectionFrom[emitted] as number)
        emitLeft = sectionLeft[emitted] as number
      }
      const cell = emitCell
      const row = painter[cell] as number
      let next = cell + 1
      while (next < end && painter[next] === row) next += 1
      const right = next < end ? (painter[next] as number) : (sectionRight[emitted] as number)
      piece(bounds[cell] as number, bounds[next] as number, row, emitLeft, right)
      left -= next - cell
      emitLeft = row
      emitCell = next
      if (next < end) continue
      emitted += 1
      emitCell = NOBODY
    }
  }

  function steps(piece: EmitPiece): readonly Step[] {
    const runs = Math.ceil((2 * (sections + covers)) / RUN)
    const merges = runs > 1 ? Math.ceil(Math.log2(runs)) : 0
    const step = (size: () => number, run: Step['run']): Step => ({ size, run })
    return [
      step(() => sections + covers, layBounds),
      step(boundsLaid, sortRuns),
      ...Array.from({ length: merges }, () => step(boundsLaid, mergeRuns)),
      step(boundsLaid, layCells),
      step(() => cells + 1, clearCells),
      ...Array.from({ length: RANKS }, (_, rank) =>
        step(
          () => covers,
          (from, to) => {
            paint(rank, from, to)
          }
        )
      ),
      step(
        () => cells,
        (from, to) => {
          emitCells(piece, to - from)
        }
      )
    ]
  }

  function emit(piece: EmitPiece): void {
    if (boundsLaid() > RUN) {
      for (const { size, run } of steps(piece)) run(0, size())
      return
    }
    layBounds(0, sections + covers)
    sortRuns(0, boundsLaid())
    layCells(0, boundsLaid())
    clearCells(0, cells + 1)
    for (let rank = 0; rank < RANKS; rank++) paint(rank, 0, covers)
    emitCells(piece, cells)
  }

  return {
    begin() {
      sections = 0
      covers = 0
    },
    section(fromNs, toNs, left, right) {
      if (sections === sectionFrom.length) {
        sectionFrom = enlarge(sectionFrom, sections + 1)
        sectionTo = enlarge(sectionTo, sections + 1)
        sectionLeft = enlarge(sectionLeft, sections + 1)
        sectionRight = enlarge(sectionRight, sections + 1)
      }
      sectionFrom[sections] = fromNs
      sectionTo[sections] = toNs
      sectionLeft[sections] = left
      sectionRight[sections++] = right
    },
    add(row, rank, fromNs, toNs) {
      if (toNs <= fromNs) return
      if (covers === coverRow.length) {
        coverRow = enlarge(coverRow, covers + 1)
        coverRank = enlarge(coverRank, covers + 1)
        coverFrom = enlarge(coverFrom, covers + 1)
        coverTo = enlarge(coverTo, covers + 1)
      }
      coverRow[covers] = row
      coverRank[covers] = rank
      coverFrom[covers] = fromNs
      coverTo[covers++] = toNs
    },
    emit,
    steps
  }
}
