import { Fragment } from 'react'
import { inWords } from './plots.tsx'
import type { Deployment } from './providers.ts'

const rows = ['total', 'queue', 'boot', 'run', 'collect'] as const
const shares = ['p50', 'p95', 'p99'] as const

/** Every percentile of every stage, for those who want the numbers. */
export function AllFigures({ deployments }: { deployments: readonly Deployment[] }) {
  const seen = deployments.filter(({ measured }) => measured.total !== null)
  if (seen.length === 0) return null
  return (
    <details className="account figures">
      <summary>All times</summary>
      {/* Wider than a phone: keyboards must be able to scroll it. */}
      <section className="figures-scroll" aria-label="All times" tabIndex={-1}>
        <table>
          <thead>
            <tr>
              <th scope="col">Deployment</th>
              <th scope="col">Stage</th>
              {shares.map(share => (
                <th key={share} scope="col">
                  {share}
                </th>
              ))}
              <th scope="col">Of</th>
            </tr>
          </thead>
          <tbody>
            {seen.map(({ name, measured }) => (
              <Fragment key={name}>
                {rows.map(row => {
                  const spread = measured[row]
                  return (
                    <tr key={row}>
                      <th scope="row">{name}</th>
                      <td>{row}</td>
                      {shares.map(share => (
                        <td key={share} className="number">
                          {spread === null ? 'no data' : inWords(spread[share])}
                        </td>
                      ))}
                      <td className="number">{spread?.samples ?? 0}</td>
                    </tr>
                  )
                })}
              </Fragment>
            ))}
          </tbody>
        </table>
      </section>
    </details>
  )
}
