import { expect, test } from '@jest/globals'
import { compareUrl, operationUrl, routeOf, traceUrl } from '../../../../src/expose/page/routes.js'

test.each(['GET /a?b=c&d#e', '"><script>', 'a%2Fb +\u202e', ''])(
  'an operation called %j keeps its name in a URL',
  (name) => {
    const { view, query } = routeOf(operationUrl('shop/é', name))
    expect([view, query.get('service'), query.get('operation')]).toEqual(['operation', 'shop/é', name])
  }
)

test('a trace has a URL by its id; whatever else is asked for is the list', () => {
  const id = '0af7651916cd43dd8448eb211c80319c'
  expect(routeOf(traceUrl(id))).toMatchObject({ view: 'trace', id })
  expect(routeOf(`#/trace/${id.toUpperCase()}?span=1`)).toMatchObject({ view: 'trace', id })
  for (const hash of ['', '#', '#/', '#/nowhere', '#/trace/1', `#/trace/${id}0`, '#/trace/<b>']) {
    expect(routeOf(hash).view).toBe('operations')
  }
  expect(routeOf('#/?filter=x').query.get('filter')).toBe('x')
})

test('a comparison has a URL with its length, its distance and, when picked, its end', () => {
  const of = { service: 'shop', operation: 'GET /a&b', minutes: 15, before: 60 }
  const { view, query } = routeOf(compareUrl(of))
  expect([view, query.get('operation'), query.get('end')]).toEqual(['compare', 'GET /a&b', null])
  expect(routeOf(compareUrl({ ...of, end: 1_700_000_000_000 })).query.get('end')).toBe('1700000000000')
})
