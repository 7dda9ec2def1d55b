/** How the process that decodes a photo ends, besides 0. */
export const exitCodes = { undecodable: 2, notInstalled: 3 } as const
