// The quick start of @segment/analytics-node; only host and write key are ours.
import { Analytics } from '@segment/analytics-node'

const [host, writeKey] = process.argv.slice(2)
const analytics = new Analytics({ writeKey, host, flushInterval: 50 })
const failures = []
analytics.on('error', (error) => failures.push(String(error.reason ?? error)))

analytics.track({ anonymousId: 'anon-1', event: 'Product Viewed', properties: { price: 3 }, messageId: 'm-anonymous' })
analytics.identify({ userId: 'u1', anonymousId: 'anon-1', traits: { email: 'a@b.example', createdAt: new Date(Date.UTC(2024, 4, 1)) }, messageId: 'm-identify' })
analytics.track({ userId: 'u1', event: 'Order Completed', properties: { revenue: 12.5, products: [{ sku: 's1' }] }, messageId: 'm-track' })
analytics.page({ userId: 'u1', name: 'Home', category: 'Shop', properties: { url: 'https://shop.example/' }, messageId: 'm-page' })
analytics.screen({ userId: 'u1', name: 'Start', messageId: 'm-screen' })
analytics.group({ userId: 'u1', groupId: 'acme', traits: { industry: 'Retail' }, messageId: 'm-group' })
analytics.alias({ userId: 'u1', previousId: 'anon-1', messageId: 'm-alias' })
for (let i = 0; i < 100; i++) analytics.track({ userId: `u${i}`, event: 'Counted', messageId: `n${i}` })

await analytics.closeAndFlush({ timeout: 20000 })
console.log(JSON.stringify({ failures }))
