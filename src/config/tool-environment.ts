/**
 * Names of variables that tell a program where things are on this machine: executables, home, libraries, weights, GPUs,
 * certificates, proxies. By name, because the gateway's environment also holds its secrets.
 */
const names =
  /^(PATH|HOME|USER|LOGNAME|LANG|LC_\w+|SYSTEMROOT|WINDIR|USERPROFILE|APPDATA|LOCALAPPDATA|PATHEXT|LD_LIBRARY_PATH|DYLD_\w+|XDG_CACHE_HOME|TORCH_HOME|PYTORCH_\w+|CUDA_\w+|NVIDIA_\w+|OMP_NUM_THREADS|MKL_NUM_THREADS|PYTHONPATH|VIRTUAL_ENV|CONDA_PREFIX|SSL_CERT_(FILE|DIR)|(HTTPS?|NO|ALL)_PROXY)$/i

/** The part of an environment that programs of local engines get. */
export function toolEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return Object.fromEntries(kept.filter(([name]) => names.test(name)))
}

/**
 * The host's name where it ends processes with the request, so that none may be left behind; null elsewhere. By the
 * variables that these hosts document: AWS Lambda ("Using Lambda environment variables"), Vercel ("System environment
 * variables"), Netlify ("Functions: environment variables").
 */
export function hostWithoutProcesses(env: Readonly<Record<string, string | undefined>>): string | null {
  if (env.VERCEL === '1') return 'Vercel'
  if (env.NETLIFY === 'true') return 'Netlify'
  return env.AWS_LAMBDA_FUNCTION_NAME === undefined ? null : 'AWS Lambda'
}
