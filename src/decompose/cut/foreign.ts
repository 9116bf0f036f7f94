import { Kind, Language, type Resources } from '../../model/spans.ts'
import { isAsync, Trait, type Tree } from './tree.ts'

/** Whether one span calls the other in another language of its own process (FFI): neither over the network nor known to be elsewhere. */
export function isForeign(tree: Tree, resources: Resources, callee: number, caller: number): boolean {
  const { resource, kind } = tree.trace
  const [of, by] = [resource[callee] as number, resource[caller] as number]
  const [language, callers] = [resources.language[of], resources.language[by]]
  if (language === callers || language === Language.unknown || callers === Language.unknown) return false
  if (kind[callee] === Kind.server || kind[callee] === Kind.consumer) return false
  if (kind[caller] === Kind.client || kind[caller] === Kind.producer || isAsync(tree, callee)) return false
  return (
    tree.owner[callee] !== callee || (resources.process[of] !== 0 && resources.process[of] === resources.process[by])
  )
}

/** Whether a span does nothing but call another language: its own time is handing over. Of one that does more, nobody knows which part is. */
export function onlyHandsOver(tree: Tree, resources: Resources, span: number): boolean {
  if (tree.owner[span] === span || tree.trait[span] !== Trait.none) return false
  const end = tree.childEnd[span] as number
  const first = span === 0 ? 0 : (tree.childEnd[span - 1] as number)
  for (let at = first; at < end; at++) {
    if (!isForeign(tree, resources, tree.child[at] as number, span)) return false
  }
  return end > first
}
