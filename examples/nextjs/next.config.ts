import type { NextConfig } from 'next'

const config: NextConfig = {
  // Surefoot starts workers from its own files, so it must stay as it is instead of becoming part of a bundle.
  serverExternalPackages: ['surefoot'],
}

export default config
