import { expect, test } from '@jest/globals'
import { alternativeNames, networkOf } from '../../../src/access/peer.ts'

test.each([
  ['203.0.113.9', '203.0.113.9'],
  ['::ffff:203.0.113.9', '203.0.113.9'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
  ['2001:0db8:0001:0002::9', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['', '']
])('the network of %s', (address, network) => {
  expect(networkOf(address)).toBe(network)
})

test('names are those of the kinds that name a client', () => {
  expect(alternativeNames('DNS:shop.example, IP Address:10.0.0.1, URI:spiffe://prod/shop, email:a@b.c')).toEqual([
    'shop.example',
    'spiffe://prod/shop',
    'a@b.c'
  ])
  expect(alternativeNames('')).toEqual([])
})

test('a name within a quoted value is no name', () => {
  expect(alternativeNames('URI:"spiffe://a/x\\u002c DNS:admin", DNS:b')).toEqual(['spiffe://a/x, DNS:admin', 'b'])
  expect(alternativeNames('othername:"1.2.3:x, DNS:admin", DNS:b')).toEqual(['b'])
  expect(alternativeNames('DirName:"CN=x, DNS:admin\\"", DNS:b')).toEqual(['b'])
})
