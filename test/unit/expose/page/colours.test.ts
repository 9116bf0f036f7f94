import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { phases } from '../../../../src/model/phases.ts'

type Rgb = readonly [number, number, number]
const css = readFileSync(new URL('../../../../src/expose/page/colours.css', import.meta.url), 'utf8')

function themeOf(index: 1 | 2): ReadonlyMap<string, Rgb> {
  const pairs = [...css.matchAll(/--(\w+): light-dark\((#\w{6}), (#\w{6})\)/g)]
  return new Map(pairs.map((pair) => [String(pair[1]), rgbOf(String(pair[index + 1]))]))
}

function rgbOf(hex: string): Rgb {
  const channel = (at: number): number => {
    const value = parseInt(hex.slice(at, at + 2), 16) / 255
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  }
  return [channel(1), channel(3), channel(5)]
}

const luminance = ([r, g, b]: Rgb): number => 0.2126 * r + 0.7152 * g + 0.0722 * b

/** As WCAG 2 has it, of linear colours. */
function contrast(a: Rgb, b: Rgb): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number]
  return (light + 0.05) / (dark + 0.05)
}

type Matrix = readonly [Rgb, Rgb, Rgb]
const apply = (matrix: Matrix, [r, g, b]: Rgb): Rgb =>
  matrix.map((row) => row[0] * r + row[1] * g + row[2] * b) as unknown as Rgb

/** How linear colours look to those who lack one kind of cone (Machado, Oliveira and Fernandes 2009, severity 1). */
const sights: Readonly<Record<string, Matrix>> = {
  usual: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1]
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998]
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881]
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039]
  ]
}

/** Oklab: distances that look alike are alike. */
function oklab(rgb: Rgb): Rgb {
  const lms = apply(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005]
    ],
    rgb
  ).map((value) => Math.cbrt(Math.max(0, value))) as unknown as Rgb
  return apply(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766]
    ],
    lms
  )
}

const distance = (a: Rgb, b: Rgb): number => Math.hypot(...a.map((value, at) => value - (b[at] as number)))

/** Some three times what the eye can just tell apart side by side. */
const APART = 0.065

describe.each([
  ['light', 1],
  ['dark', 2]
] as const)('%s', (_theme, index) => {
  const colours = themeOf(index)
  const colour = (name: string): Rgb => colours.get(name) as Rgb

  test('text has the contrast that WCAG AA asks for, on every ground', () => {
    for (const text of ['ink', 'muted', 'accent', 'alert', 'good']) {
      for (const ground of ['paper', 'panel', 'sunken']) {
        expect([text, ground, contrast(colour(text), colour(ground)) >= 4.5]).toEqual([text, ground, true])
      }
    }
  })

  test('every phase stands out from its ground as graphics must', () => {
    for (const phase of phases) {
      for (const ground of ['paper', 'panel']) {
        expect([phase, ground, contrast(colour(phase), colour(ground)) >= 3]).toEqual([phase, ground, true])
      }
    }
  })

  test.each(Object.keys(sights))('phases stay apart: %s', (sight) => {
    const close: string[] = []
    const seen = phases.map((phase) => oklab(apply(sights[sight] as Matrix, colour(phase))))
    for (let a = 0; a < phases.length; a++) {
      for (let b = 0; b < a; b++) {
        const apart = distance(seen[a] as Rgb, seen[b] as Rgb)
        if (apart < APART) close.push(`${phases[a] ?? ''} and ${phases[b] ?? ''}: ${apart.toFixed(3)}`)
      }
    }
    expect(close).toEqual([])
  })
})
