/** The name under which a kit uploads an attempt's output: one for each attempt, whatever the model calls its file. */
export const uploadName = 'output'

/** What attempts bring by themselves, one folder for each. */
export const uploadRoot = 'uploads'

/** What the keys of everything that an attempt brings by itself begin with, before a slash. */
export function uploadFolder(attemptId: string): string {
  return `${uploadRoot}/${attemptId}`
}

/** Where an upload of an attempt lies in the file store. */
export function uploadKey(attemptId: string, name: string = uploadName): string {
  return `${uploadFolder(attemptId)}/${name}`
}

const keptPrefix = 'kept:'

/** The text that stands for a file which was taken out of an answer, until the answer has been read; `id` is unguessable. */
export function keptText(id: string): string {
  return keptPrefix + id
}

export function isKept(text: string): boolean {
  return text.startsWith(keptPrefix)
}

/** Where such a file lies: beside an upload, under a name that nobody looks for before the answer has been read. */
export function keptKey(attemptId: string, id: string): string {
  return uploadKey(attemptId, `answer.${id}`)
}
