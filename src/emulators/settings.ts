/**
 * What somebody has set at the vendor, by the call that tells of it (each emulator's page names its calls): fields that are
 * laid over what a healthy account answers, or a status with which the call is refused. Default: all is well.
 */
export type Settings = { readonly [call: string]: object | number }

/** The answer to one such call: the healthy one with what was set over it, or a refusal in the vendor's words. */
export function tell(
  settings: Settings | undefined,
  call: string,
  healthy: object,
  words: { answer(body: object): Response; refuse(status: number): Response },
): Response {
  const set = settings?.[call]
  return typeof set === 'number' ? words.refuse(set) : words.answer({ ...healthy, ...set })
}
