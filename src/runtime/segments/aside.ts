import { type Folder } from './folder.ts'

/** Damaged files kept for whoever wants to know. */
export const CORRUPT_SUFFIX = '.corrupt'
const CORRUPT_KEPT = 4

/** Renames a file that is damaged or foreign. */
export async function setAside(folder: Folder, name: string): Promise<void> {
  await folder.rename(name, `${name}${CORRUPT_SUFFIX}`)
  await pruneAside(folder)
}

/** Removes the oldest of the files that were put aside. */
export async function pruneAside(folder: Folder): Promise<void> {
  const aside = (await folder.list()).filter((other) => other.endsWith(CORRUPT_SUFFIX)).sort()
  for (const old of aside.slice(0, -CORRUPT_KEPT)) await folder.remove(old)
}
