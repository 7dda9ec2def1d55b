/** The package has no types of its own; this is as much of it as is used. */
declare module 'heic-decode' {
  /** Pixels of the first picture, upright, as red, green, blue and alpha. */
  const decode: (options: {
    readonly buffer: Uint8Array
  }) => Promise<{ readonly width: number; readonly height: number; readonly data: Uint8ClampedArray }>

  export = decode
}
