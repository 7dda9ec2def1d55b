import type { NextConfig } from 'next'

const config: NextConfig = {
  // Surefoot starts workers from its own files, so it must stay as it is instead of becoming part of a bundle; what runs
  // in pages (`surefoot/react`) is not in that folder, and becomes part of it.
  serverExternalPackages: ['surefoot/dist'],
}

export default config
