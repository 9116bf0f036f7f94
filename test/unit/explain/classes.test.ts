import { expect, test } from '@jest/globals'
import { type Classes, createClasses } from '../../../src/explain/classes.ts'
import { RequestClass } from '../../../src/model/requests.ts'
import { MINUTE_MS, testStrings } from './explainers.ts'

const SHORT_NS = 1e6
const LONG_NS = 61e9

function classesOf(rules: Parameters<typeof createClasses>[0]['rules'] = []): Classes {
  const strings = testStrings()
  const classes = createClasses({ rules, streamAfterMs: MINUTE_MS, strings })
  classes.ensureRows(4)
  classes.onTaken(1, strings.internText('shop/cart'), strings.internText('GET /events/{id}'))
  return classes
}

function learn(classes: Classes, long: number, short: number): number {
  for (let i = 0; i < long; i++) classes.learn(1, LONG_NS)
  for (let i = 0; i < short; i++) classes.learn(1, SHORT_NS)
  return classes.classOf(1, RequestClass.request)
}

test('an operation is a stream when most of its last 20 requests outlive stream_after, and no longer when they do not', () => {
  const classes = classesOf()
  expect(learn(classes, 10, 0)).toBe(RequestClass.request)
  expect(learn(classes, 1, 0)).toBe(RequestClass.stream)
  expect(learn(classes, 0, 9)).toBe(RequestClass.stream)
  expect(learn(classes, 0, 1)).toBe(RequestClass.request)
})

test('settings win over structure and over what was learned', () => {
  const classes = classesOf([
    { match: 'shop/cart/GET /events*', class: 'background' },
    { match: '*', class: 'stream' }
  ])
  expect(learn(classes, 20, 0)).toBe(RequestClass.background)
})

test('without a rule and without long requests structure decides', () => {
  const classes = classesOf([{ match: 'shop/checkout/*', class: 'stream' }])
  expect(classes.classOf(1, RequestClass.message)).toBe(RequestClass.message)
})

test('fixed streams are not learned again', () => {
  const classes = classesOf()
  classes.fixStreams(1, false)
  expect(learn(classes, 20, 0)).toBe(RequestClass.request)
  classes.fixStreams(1, true)
  expect(learn(classes, 0, 20)).toBe(RequestClass.stream)
})
