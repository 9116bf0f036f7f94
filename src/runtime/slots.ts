/** Slots of the largest table that may hold so many entries: `first` doubled until at most half of them are taken. */
export function slotsFor(entriesMax: number, first: number): number {
  let size = first
  while (size < 2 * (entriesMax + 1)) size *= 2
  return size
}
