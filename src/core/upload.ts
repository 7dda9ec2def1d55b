/** The name under which a kit uploads an attempt's output: one for each attempt, whatever the model calls its file. */
export const uploadName = 'output'

/** Where an upload of an attempt lies in the file store. */
export function uploadKey(attemptId: string, name: string = uploadName): string {
  return `uploads/${attemptId}/${name}`
}
