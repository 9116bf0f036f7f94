import { deadShard } from '../dead-shard.ts'

export const scenario = deadShard('dead shard with a log', 'batch')
