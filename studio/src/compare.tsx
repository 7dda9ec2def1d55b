import { useState } from 'react'
import { RequestError } from './api.ts'
import { ComparisonTable } from './comparison-table.tsx'
import { AllFigures } from './figures.tsx'
import { type Deployment, getProviders, type Providers, type Wish } from './providers.ts'
import { Recommended } from './recommended.tsx'
import { useProviders } from './use-providers.ts'
import { WishForm } from './wish-form.tsx'

const firstWish: Wish = { prefer: 'cost', maxCost: '', maxSeconds: '' }

/** What this gateway's own traffic says about each deployment, and which one fits a wish. */
export function Compare() {
  const [wish, setWish] = useState(firstWish)
  const { providers, failed } = useProviders(wish)
  const health = useHealth(wish)
  const models = [...new Set(providers?.deployments.map(({ model }) => model))]
  return (
    <div className="compare">
      <div className="compare-head">
        <h2>Compare deployments</h2>
        <p className="quiet">
          By the latest attempts of this gateway, at most 200 each. Failed, cancelled and losing attempts count into
          cost.
          {providers && ` From ${providers.enough_samples} attempts on, figures are worth deciding by.`}
        </p>
      </div>
      <WishForm wish={wish} onWish={setWish} />
      {failed && (
        <p role="alert" className="deployment-bad">
          The gateway cannot be reached; trying again.
        </p>
      )}
      {providers &&
        models.map(model => (
          <section key={model} aria-label={model}>
            {models.length > 1 && <h3>{model}</h3>}
            <ModelComparison providers={providers} model={model} health={health.told} />
          </section>
        ))}
      {providers && (
        <p className="compare-foot">
          <button type="button" className="button small" onClick={health.ask} disabled={health.asking}>
            {health.asking ? 'Asking …' : 'Ask the providers how they are'}
          </button>
          {health.trouble && (
            <span role="alert" className="deployment-bad">
              {health.trouble}
            </span>
          )}
          <span className="quiet">
            <code>surefoot compare photo.jpg</code> runs a photo on each deployment, to have figures.
          </span>
        </p>
      )}
    </div>
  )
}

function ModelComparison({ providers, model, health }: { providers: Providers; model: string; health: Told }) {
  const recommendation = providers.recommendations.find(item => item.model === model) ?? null
  const order = recommendation?.ranking.map(({ name }) => name) ?? []
  const deployments = providers.deployments
    .filter(deployment => deployment.model === model)
    .sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name))
  return (
    <>
      {recommendation && <Recommended recommendation={recommendation} />}
      <ComparisonTable deployments={deployments} recommendation={recommendation} health={health} />
      <AllFigures deployments={deployments} />
    </>
  )
}

type Told = ReadonlyMap<string, Deployment['health']>

/** Providers are asked when somebody wants to know, not every few seconds. */
function useHealth(wish: Wish) {
  const [told, setTold] = useState<Told>(new Map())
  const [asking, setAsking] = useState(false)
  const [trouble, setTrouble] = useState<string | null>(null)
  const ask = async () => {
    setAsking(true)
    setTrouble(null)
    try {
      const { deployments } = await getProviders(wish, true, AbortSignal.timeout(20_000))
      setTold(new Map(deployments.map(({ name, health }) => [name, health ?? nothingSaid])))
    } catch (error) {
      setTrouble(error instanceof RequestError ? error.message : 'The gateway did not answer in time.')
    } finally {
      setAsking(false)
    }
  }
  return { told, asking, trouble, ask: () => void ask() }
}

const nothingSaid = { state: 'unknown', message: 'Says nothing of its queue and workers.' }
