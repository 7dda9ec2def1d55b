import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** Linux counts in hundredths of a second for programs, whatever its own clock: `USER_HZ`, proc(5). */
const ticksPerSecond = 100

/**
 * Seconds of processor time that the living processes of a process group have used, without its leader; null where the
 * system does not show it (only Linux does, in /proc). Field positions: proc_pid_stat(5).
 */
export function processorSeconds(group: number): number | null {
  if (!existsSync('/proc/self/stat')) return null
  let ticks = 0
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || entry === String(group)) continue
    const fields = statOf(entry)
    if (fields[2] === String(group)) ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks / ticksPerSecond
}

/** The fields after the command's name, which may itself hold spaces and brackets; empty for a process that has ended. */
function statOf(pid: string): readonly string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}
