import { expect, test } from '@jest/globals'
import { acceptsGzip, chooseFormat } from '../../../src/expose/negotiate.ts'

const protobuf = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited'

test.each([
  ['nothing', undefined, 'text'],
  ['anything', '*/*', 'text'],
  ['a browser', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'text'],
  ['something we lack', 'application/json', 'text'],
  ['plain text', 'text/plain', 'text'],
  ['text 0.0.4', 'text/plain; version=0.0.4; charset=utf-8', 'text'],
  ['OpenMetrics', 'application/openmetrics-text', 'openmetrics'],
  ['OpenMetrics in capitals', 'Application/OpenMetrics-Text; Version=1.0.0', 'openmetrics'],
  ['a quoted version', 'application/openmetrics-text; version="1.0.0"', 'openmetrics'],
  ['OpenMetrics of long ago, then text', 'application/openmetrics-text; version=0.0.1,text/plain;q=0.5', 'text'],
  [
    'Prometheus 2.42',
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
    'openmetrics'
  ],
  [
    'Prometheus 2.42 with native histograms',
    `${protobuf},application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1`,
    'protobuf'
  ],
  [
    'Prometheus 3',
    `application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2`,
    'openmetrics'
  ],
  ['a higher q further back', 'text/plain;q=0.3,application/openmetrics-text;q=0.9', 'openmetrics'],
  ['equal q: the first', `text/plain,${protobuf}`, 'text'],
  ['q=0 is a refusal', 'application/openmetrics-text;q=0,text/plain;q=0.1', 'text'],
  ['a q that is none', 'application/openmetrics-text;q=high,text/plain;q=0.1', 'text'],
  ['protobuf without its parameters', 'application/vnd.google.protobuf', 'text'],
  ['protobuf as text', protobuf.replace('delimited', 'text'), 'text'],
  ['protobuf of another message', protobuf.replace('MetricFamily', 'Other'), 'text'],
  ['rubbish', ';;;=,,q=1;', 'text']
])('Accept: %s', (_what, accept, format) => {
  expect(chooseFormat(accept)).toBe(format)
})

test.each([
  [undefined, false],
  ['', false],
  ['gzip', true],
  ['deflate, GZIP;q=0.5', true],
  ['gzip;q=0', false],
  ['*', true],
  ['gzip;q=0, *', false],
  ['identity', false]
])('Accept-Encoding: %s', (header, gzip) => {
  expect(acceptsGzip(header)).toBe(gzip)
})
