import { killLoop } from '../kill-loop.ts'

export const scenario = killLoop('kill -9 loop', 1)
