import { expect, test } from 'vitest'
import { writePlyHeader } from './ply-header.ts'
import { sharpHeader, sharpVertexFloats, writeSharpPly } from './sharp-layout.ts'

test('the header of a whole SHARP scene has 670 bytes, and its file 66,061,086', () => {
  expect(writePlyHeader(sharpHeader(1_179_648)).length).toBe(670)
  const scene = {
    vertices: new Float32Array(1_179_648 * sharpVertexFloats),
    image: { width: 4032, height: 3024 },
    focalPx: 3_000,
    disparityQuantiles: [0.1, 0.5] as const,
  }
  let bytes = 0
  for (const piece of writeSharpPly(scene)) bytes += piece.length
  expect(bytes).toBe(66_061_086)
})

test('a small file is what SHARP writes, byte for byte', () => {
  const vertices = Float32Array.from({ length: sharpVertexFloats }, (_, index) => index)
  const scene = { vertices, image: { width: 640, height: 481 }, focalPx: 512, disparityQuantiles: [0.25, 2] as const }
  const file = Buffer.concat([...writeSharpPly(scene, ['one', 'two words'])])
  const text = `ply
format binary_little_endian 1.0
comment one
comment two words
element vertex 1
property float x
property float y
property float z
property float f_dc_0
property float f_dc_1
property float f_dc_2
property float opacity
property float scale_0
property float scale_1
property float scale_2
property float rot_0
property float rot_1
property float rot_2
property float rot_3
element extrinsic 16
property float extrinsic
element intrinsic 9
property float intrinsic
element image_size 2
property uint image_size
element frame 2
property int frame
element disparity 2
property float disparity
element color_space 1
property uchar color_space
element version 3
property uchar version
end_header
`
  expect(file.toString('latin1').slice(0, text.length)).toBe(text)
  const body = file.subarray(text.length)
  const floats = Array.from({ length: 14 + 16 + 9 }, (_, index) => body.readFloatLE(index * 4))
  expect(floats.slice(0, 14)).toEqual([...vertices])
  expect(floats.slice(14, 30)).toEqual([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1])
  expect(floats.slice(30)).toEqual([512, 0, 320, 0, 512, 240.5, 0, 0, 1])
  const rest = body.subarray(floats.length * 4)
  expect([rest.readUInt32LE(0), rest.readUInt32LE(4)]).toEqual([640, 481])
  expect([rest.readInt32LE(8), rest.readInt32LE(12)]).toEqual([1, 1])
  expect([rest.readFloatLE(16), rest.readFloatLE(20)]).toEqual([0.25, 2])
  expect([...rest.subarray(24)]).toEqual([0, 1, 5, 0])
})

test('vertices that are a view into a larger buffer are written as they are', () => {
  const buffer = Float32Array.from({ length: 1 + 2 * sharpVertexFloats }, (_, index) => index)
  const vertices = buffer.subarray(1)
  const scene = { vertices, image: { width: 1, height: 1 }, focalPx: 1, disparityQuantiles: [1, 1] as const }
  const [, body] = [...writeSharpPly(scene)]
  expect(body).toEqual(new Uint8Array(Float32Array.from(vertices).buffer))
})

test('half a Gaussian is refused', () => {
  const scene = { vertices: new Float32Array(7), image: { width: 1, height: 1 }, focalPx: 1 }
  expect(() => [...writeSharpPly({ ...scene, disparityQuantiles: [1, 1] })]).toThrow(TypeError)
})
