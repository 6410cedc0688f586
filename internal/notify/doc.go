// Package notify sends notifications about a shift: that it started, reached a step, waits, needs an
// approval, and how it ended. A webhook gets an event of CloudEvents 1.0, Slack a message.
//
// A Notifier observes one shift. A tracker turns the events of the engine into notifications, and
// each destination has a queue and a goroutine of its own that sends them in order and retries. So
// nothing that a destination does, or fails to do, delays a shift; the end of a shift waits for
// closeTimeout at most. What was not delivered is one warning for each destination.
//
// docs/notification.schema.json documents the data of an event. Nothing here contains a secret: those
// of a destination are read from the environment where it is opened, and masked in all texts.
package notify
