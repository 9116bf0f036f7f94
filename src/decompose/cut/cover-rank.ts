import { Kind } from '../../model/spans.ts'
import { isAsync, Trait, type Tree } from './tree.ts'

/** Rank of children that overlap: wait spans first, then peers, then calls, then the rest. -1 = not waited for. */
export function coverRank(tree: Tree, child: number): number {
  if (tree.trait[child] === Trait.wait) return 0
  const kind = tree.trace.kind[child]
  if (isAsync(tree, child) && kind !== Kind.consumer) return -1
  if (tree.owner[child] === child) return 1
  return kind === Kind.client || kind === Kind.producer ? 2 : 3
}
