import { describe, expect, test } from '@jest/globals'
import {
  endpointRegion,
  guardRegion,
  isAllowed,
  locationRegion,
} from '../../../src/store/region.ts'

test.each<[string, string[], boolean]>([
  ['eu-central-1', ['eu-*'], true],
  ['eu-central-1', ['eu-central-1'], true],
  ['eu-central-1', ['eu-west-1', 'eu-central-*'], true],
  ['eu-central-1', ['eu-central'], false],
  ['eu-central-1', ['central'], false],
  ['us-east-1', ['eu-*'], false],
  ['xeu-west-1', ['eu-*'], false],
  ['europe', ['eu-*'], false],
  ['us-east-1', ['*'], true],
  ['us-east-1', [], false],
])('%s is in %j: %s', (region, allowed, expected) => {
  expect(isAllowed(region, allowed)).toBe(expected)
})

describe('the region of an endpoint', () => {
  test.each<[string, string | undefined]>([
    ['https://s3.eu-west-1.amazonaws.com', 'eu-west-1'],
    ['https://s3.dualstack.eu-west-1.amazonaws.com', 'eu-west-1'],
    ['https://s3-fips.us-gov-west-1.amazonaws.com', 'us-gov-west-1'],
    ['https://s3-eu-west-1.amazonaws.com', 'eu-west-1'],
    ['https://S3.US-WEST-2.AMAZONAWS.COM', 'us-west-2'],
    ['https://s3.cn-north-1.amazonaws.com.cn', 'cn-north-1'],
    ['https://bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com', 'us-east-1'],
    ['https://s3.amazonaws.com', 'us-east-1'],
    ['https://s3.eu-west-1.amazonaws.com.example.org', undefined],
    ['https://minio.example.org:9000', undefined],
    ['http://127.0.0.1:9000', undefined],
  ])('%s: %s', (endpoint, region) => {
    expect(endpointRegion(endpoint)).toBe(region)
  })
})

test('an empty location is the oldest region', () => {
  expect(locationRegion(undefined)).toBe('us-east-1')
  expect(locationRegion('')).toBe('us-east-1')
  expect(locationRegion('EU')).toBe('eu-west-1')
  expect(locationRegion('eu-south-2')).toBe('eu-south-2')
})

test('a refusal names what was asked, what is allowed, and the way out', () => {
  let told: unknown
  try {
    guardRegion('bucket x', 'us-east-1', ['eu-*', 'ch-1'])
  } catch (error) {
    told = error
  }
  expect(told).toMatchObject({
    kind: 'refused',
    message: 'bucket x is in region us-east-1, and bytes may only go to eu-*, ch-1',
    hint: expect.stringContaining('add us-east-1 to allowedRegions'),
  })
})
