import type { Wish } from './providers.ts'

const preferences = [
  ['cost', 'Cost'],
  ['speed', 'Speed'],
  ['reliability', 'Reliability'],
] as const

/** What somebody wants: one of three, within limits. */
export function WishForm({ wish, onWish }: { wish: Wish; onWish: (wish: Wish) => void }) {
  return (
    <form className="wish" onSubmit={event => event.preventDefault()}>
      <fieldset className="choice">
        <legend>Recommend by</legend>
        {preferences.map(([value, words]) => (
          <label key={value}>
            <input
              type="radio"
              name="prefer"
              value={value}
              checked={wish.prefer === value}
              onChange={() => onWish({ ...wish, prefer: value })}
            />
            <span className="choice-word">{words}</span>
          </label>
        ))}
      </fieldset>
      <label className="limit">
        At most, USD an image
        <input
          inputMode="decimal"
          placeholder="no limit"
          value={wish.maxCost}
          onChange={({ target }) => onWish({ ...wish, maxCost: target.value })}
        />
      </label>
      <label className="limit">
        At most, seconds
        <input
          inputMode="decimal"
          placeholder="no limit"
          value={wish.maxSeconds}
          onChange={({ target }) => onWish({ ...wish, maxSeconds: target.value })}
        />
      </label>
    </form>
  )
}
