import { useEffect, useState } from 'react'

/** Takes a photo that is dropped or pasted anywhere on the page. True while a file is held over it. */
export function usePhotoDrop(take: (photo: File) => void): boolean {
  const [over, setOver] = useState(false)
  useEffect(() => {
    const abort = new AbortController()
    const options = { signal: abort.signal }
    // Enter and leave come once per element passed; only leaving as often as entering means that the file is gone.
    let depth = 0
    const hasFile = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false
    const hold = (by: number) => {
      depth = Math.max(0, depth + by)
      setOver(depth > 0)
    }
    addEventListener('dragenter', event => hasFile(event) && hold(1), options)
    addEventListener('dragleave', event => hasFile(event) && hold(-1), options)
    addEventListener(
      'dragover',
      event => {
        if (!hasFile(event)) return
        event.preventDefault()
        if (event.dataTransfer) event.dataTransfer.dropEffect = 'copy'
      },
      options,
    )
    addEventListener(
      'drop',
      event => {
        if (!hasFile(event)) return
        event.preventDefault()
        hold(-depth)
        const photo = firstPhoto(event.dataTransfer?.files)
        if (photo) take(photo)
      },
      options,
    )
    addEventListener(
      'paste',
      event => {
        const photo = firstPhoto(event.clipboardData?.files)
        if (photo) take(photo)
      },
      options,
    )
    return () => abort.abort()
  }, [take])
  return over
}

/** The first image, else the first file: the gateway judges by content and says what is wrong. */
export function firstPhoto(files: FileList | null | undefined): File | null {
  const list = [...(files ?? [])]
  return list.find(file => file.type.startsWith('image/')) ?? list[0] ?? null
}
