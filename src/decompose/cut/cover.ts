import { enlarge, growFloats, growInts } from '../scratch.ts'

/** Receives the pieces of a section in time order: who covers it, and who stands on both sides (-1 = nobody, the edge). */
export type EmitPiece = (fromNs: number, toNs: number, cover: number, left: number, right: number) => void

export interface Cover {
  readonly begin: () => void
  /** A stretch to be told apart; `left` and `right` are the rows that bound it. Sections do not overlap. */
  readonly section: (fromNs: number, toNs: number, left: number, right: number) => void
  /** Someone who covers time. Of several, the lowest rank wins, then the first added. */
  readonly add: (row: number, rank: number, fromNs: number, toNs: number) => void
  readonly emit: (piece: EmitPiece) => void
}

const RANKS = 4
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
  let cells = 0
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

  function layCells(): void {
    const most = 2 * (sections + covers)
    if (bounds.length < most + 1) bounds = growFloats(most + 1)
    let n = 0
    for (let i = 0; i < sections; i++) {
      bounds[n++] = sectionFrom[i] as number
      bounds[n++] = sectionTo[i] as number
    }
    for (let i = 0; i < covers; i++) {
      bounds[n++] = coverFrom[i] as number
      bounds[n++] = coverTo[i] as number
    }
    bounds.subarray(0, n).sort()
    cells = 0
    for (let i = 0; i < n; i++) {
      if (cells === 0 || bounds[i] !== bounds[cells - 1]) bounds[cells++] = bounds[i] as number
    }
    if (painter.length < cells + 1) {
      painter = growInts(cells + 1)
      nextFree = growInts(cells + 1)
    }
    for (let cell = 0; cell <= cells; cell++) {
      painter[cell] = NOBODY
      nextFree[cell] = cell
    }
  }

  function paint(): void {
    for (let rank = 0; rank < RANKS; rank++) {
      for (let i = 0; i < covers; i++) {
        if (coverRank[i] !== rank) continue
        const end = cellAt(coverTo[i] as number)
        for (let cell = free(cellAt(coverFrom[i] as number)); cell < end; cell = free(cell)) {
          painter[cell] = coverRow[i] as number
          nextFree[cell] = cell + 1
        }
      }
    }
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
    emit(piece) {
      layCells()
      paint()
      for (let i = 0; i < sections; i++) {
        const end = cellAt(sectionTo[i] as number)
        let left = sectionLeft[i] as number
        for (let cell = cellAt(sectionFrom[i] as number); cell < end;) {
          const row = painter[cell] as number
          let next = cell + 1
          while (next < end && painter[next] === row) next += 1
          const right = next < end ? (painter[next] as number) : (sectionRight[i] as number)
          piece(bounds[cell] as number, bounds[next] as number, row, left, right)
          left = row
          cell = next
        }
      }
    }
  }
}
