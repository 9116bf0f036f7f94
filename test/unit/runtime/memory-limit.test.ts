import { expect, test } from '@jest/globals'
import { memoryAllowance } from '../../../src/runtime/memory-limit.ts'

const MIB = 1024 ** 2
const MACHINE = 8192 * MIB

function allowance(files: Readonly<Record<string, string>>): string {
  const { bytes, saidBy } = memoryAllowance((path) => files[path], MACHINE)
  return `${bytes / MIB} MiB by the ${saidBy}`
}

test.each([
  ['no control groups', {}, '8192 MiB by the machine'],
  [
    'version 2, a container that sees its own group as the root',
    {
      '/proc/self/cgroup': '0::/\n',
      '/sys/fs/cgroup/memory.max': `${512 * MIB}\n`,
      '/sys/fs/cgroup/memory.high': 'max\n'
    },
    '512 MiB by the cgroup'
  ],
  [
    'version 2, slowed down before it is ended',
    {
      '/proc/self/cgroup': '0::/\n',
      '/sys/fs/cgroup/memory.max': `${512 * MIB}\n`,
      '/sys/fs/cgroup/memory.high': `${400 * MIB}\n`
    },
    '400 MiB by the cgroup'
  ],
  [
    'version 2, a group above it is tighter',
    {
      '/proc/self/cgroup': '0::/system.slice/tailspan.service\n',
      '/sys/fs/cgroup/system.slice/tailspan.service/memory.max': 'max\n',
      '/sys/fs/cgroup/system.slice/memory.max': `${1024 * MIB}\n`
    },
    '1024 MiB by the cgroup'
  ],
  [
    'version 1, as Docker mounts it: the path is that of outside, the files are at the root',
    {
      '/proc/self/cgroup': '9:name=systemd:/docker/abc\n4:cpu,memory:/docker/abc\n0::/docker/abc\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': `${256 * MIB}\n`
    },
    '256 MiB by the cgroup'
  ],
  [
    'version 1 without a limit says so with a number',
    {
      '/proc/self/cgroup': '4:memory:/\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n'
    },
    '8192 MiB by the machine'
  ],
  [
    'a limit above what the machine has is none',
    { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.max': `${2 * MACHINE}\n` },
    '8192 MiB by the machine'
  ],
  [
    'nonsense is none',
    {
      '/proc/self/cgroup': 'nonsense\n0::/a:b\n',
      '/sys/fs/cgroup/a:b/memory.max': '-3\n',
      '/sys/fs/cgroup/memory.max': ''
    },
    '8192 MiB by the machine'
  ]
])('%s', (_name, files, expected) => {
  expect(allowance(files)).toBe(expected)
})

test('on this machine it is at least something and at most what there is', () => {
  const { bytes } = memoryAllowance()
  expect(bytes).toBeGreaterThan(64 * MIB)
  expect(Number.isSafeInteger(bytes)).toBe(true)
})
