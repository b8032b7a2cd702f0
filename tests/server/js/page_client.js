// What a page of a shop has in its bundle: the quick starts of the vendors' browser libraries. The tests call them with the
// host and the write key, and with the options of the library that they try.
import { RudderAnalytics } from '@rudderstack/analytics-js/bundled'
import { AnalyticsBrowser } from '@segment/analytics-next'

window.start = (host, writeKey, options) => {
  window.analytics = AnalyticsBrowser.load({ writeKey, cdnURL: host }, options)
  return window.analytics.ready().then(() => true)
}

window.startRudder = (host, writeKey) => {
  window.rudder = new RudderAnalytics()
  window.rudder.load(writeKey, host, { configUrl: host })
}
