/**
 * The photo of a warm-up: a ball before a sky, 96 x 72 pixels, as a JPEG of 510 bytes. It is in the code and not on a disk,
 * so that it is there wherever an engine is, and fits into every provider's request.
 */
export const warmPhoto: string = [
  'data:image/jpeg;base64,',
  '/9j/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCNl4x9lnN+gXz/2wBDARUXFx4aHj',
  'shITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHz/wAARCABIAGADASIAAhEBAxEB/8QAGQAB',
  'AQEBAQEAAAAAAAAAAAAAAAMCBAEF/8QAGhABAQEBAQEBAAAAAAAAAAAAABIBAjEhA//EABkBAQADAQEAAAAAAAAAAAAAAAACAwQBBf/EABsRAQ',
  'EAAwEBAQAAAAAAAAAAAAARAQIDBCES/9oADAMBAAIRAxEAPwD6dFJUUvrOrRSVFFFaKSooorRSVFFFaKSooorRSVFFE6KTopCilFJ0UUUpnf05',
  'z3Ueu935njLNv3mZq28/LcXZ0Z+nO+a1Tla573Pm+Gne5mx08sxdXRRSdFNNYlKKTooolRSdFK6KUUnRnX1zbPzKek/WK2AwPaAAe0UnvX0pv1',
  'z8w8XefrMUopOinaglRSdFIUUopOiijo47zfm+qOOms/XrPNU7c79w28/VMTbDqT77zPmeo7+vW+6zRrzmbk6eq4muFKKTopdWJSik6KKJUUCA',
  'UUAFFABRQAUUAFFAD//Z',
].join('')
