/** A value as whoever parsed it out of an answer holds it: nothing is read-only. */
export type Received<View> = View extends readonly (infer Item)[]
  ? Received<Item>[]
  : View extends object
    ? { -readonly [key in keyof View]: Received<View[key]> }
    : View

/** A published type whose optional fields may also be null, where the vendor's reference says null and its types say absent. */
export type OrNull<Published> = {
  [key in keyof Published]: undefined extends Published[key] ? Published[key] | null : Published[key]
}
