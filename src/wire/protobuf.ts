/**
 * How a field is written: scalars by their name, `int` for every integer and enum, a message by its own fields, and of
 * the repeated ones a list.
 */
export type FieldType = 'string' | 'bytes' | 'int' | 'bool' | 'float' | 'double' | MessageFields

/** A message's fields by name: their number, their type, and whether there may be several. */
export interface MessageFields {
  readonly [name: string]: readonly [number: number, type: FieldType, repeated?: 'repeated']
}

/** A message as a plain object; fields that are absent have the type's default on the other side. */
export type Message = { readonly [name: string]: unknown }

/** A message in protobuf's wire format. Fields that the table does not name are left out. */
export function encodeMessage(fields: MessageFields, message: Message): Uint8Array<ArrayBuffer> {
  const bytes: number[] = []
  for (const [name, [number, type, repeated]] of Object.entries(fields)) {
    const value = message[name]
    if (value === undefined || value === null) continue
    for (const each of repeated && Array.isArray(value) ? value : [value]) writeField(bytes, number, type, each)
  }
  return Uint8Array.from(bytes)
}

function writeField(bytes: number[], number: number, type: FieldType, value: unknown): void {
  if (type === 'int' || type === 'bool') {
    writeVarint(bytes, BigInt(number << 3))
    writeVarint(bytes, BigInt.asUintN(64, BigInt(Number(value))))
  } else if (type === 'float' || type === 'double') {
    const size = type === 'float' ? 4 : 8
    const view = new DataView(new ArrayBuffer(size))
    if (size === 4) view.setFloat32(0, Number(value), true)
    else view.setFloat64(0, Number(value), true)
    writeVarint(bytes, BigInt((number << 3) | (size === 4 ? 5 : 1)))
    for (let at = 0; at < size; at++) bytes.push(view.getUint8(at))
  } else {
    const content = contentOf(type, value)
    writeVarint(bytes, BigInt((number << 3) | 2))
    writeVarint(bytes, BigInt(content.byteLength))
    for (const byte of content) bytes.push(byte)
  }
}

function contentOf(type: 'string' | 'bytes' | MessageFields, value: unknown): Uint8Array {
  if (type === 'string') return new TextEncoder().encode(String(value))
  if (type === 'bytes') return value instanceof Uint8Array ? value : new Uint8Array()
  return encodeMessage(type, typeof value === 'object' && value !== null ? { ...value } : {})
}

function writeVarint(bytes: number[], value: bigint): void {
  let rest = value
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  bytes.push(Number(rest))
}

/**
 * Reads a message in protobuf's wire format. Fields that the table does not name are skipped; absent ones are absent, but
 * for lists, which are empty. Fails with `RangeError` on bytes that are cut off or no message.
 */
export function decodeMessage(fields: MessageFields, bytes: Uint8Array): Message {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const byNumber = new Map(
    Object.entries(fields).map(([name, [number, type, repeated]]) => [number, { name, type, repeated }]),
  )
  const message: { [name: string]: unknown } = {}
  for (const [name, [, , repeated]] of Object.entries(fields)) if (repeated) message[name] = []
  let at = 0

  function take(length: number): number {
    const from = at
    if (length > bytes.byteLength - from) throw new RangeError('A protobuf message that is cut off.')
    at += length
    return from
  }

  function varint(): bigint {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = view.getUint8(take(1))
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return BigInt.asIntN(64, value)
    }
    throw new RangeError('No protobuf message: a number without an end.')
  }

  function store(name: string, repeated: string | undefined, value: unknown): void {
    const list = message[name]
    if (repeated && Array.isArray(list)) list.push(value)
    else message[name] = value
  }

  while (at < bytes.byteLength) {
    const key = Number(varint())
    const [number, wire] = [key >> 3, key & 7]
    const field = byNumber.get(number)
    const type = field?.type
    if (wire === 0) {
      const value = varint()
      if (field !== undefined) store(field.name, field.repeated, type === 'bool' ? value !== 0n : Number(value))
    } else if (wire === 1 || wire === 5) {
      const from = take(wire === 1 ? 8 : 4)
      if (field !== undefined)
        store(field.name, field.repeated, wire === 1 ? view.getFloat64(from, true) : view.getFloat32(from, true))
    } else if (wire === 2) {
      const length = Number(varint())
      if (length < 0) throw new RangeError('No protobuf message: a length below zero.')
      const from = take(length)
      if (field === undefined || type === undefined) continue
      const content = bytes.subarray(from, from + length)
      if (type === 'int' || type === 'bool') {
        // Several numbers are packed into one field.
        const end = at
        at = from
        while (at < end) store(field.name, field.repeated, Number(varint()))
      } else store(field.name, field.repeated, readContent(type, content))
    } else throw new RangeError('No protobuf message: a type of field that is not in use.')
  }
  return message
}

function readContent(type: FieldType, content: Uint8Array): unknown {
  if (type === 'string') return new TextDecoder().decode(content)
  return typeof type === 'object' ? decodeMessage(type, content) : content
}
