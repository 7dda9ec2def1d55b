/** s3rver has no types of its own; `test-s3.ts` says what it uses. */
declare module 's3rver' {
  const S3rver: new (options: object) => object
  export = S3rver
}
