// Package report is the record of shifts for people: a journal of what happens (JSON Lines, one
// file per shift), a page that shows it (one HTML file beside the journal, and an index of all),
// and texts for the summaries of CI jobs.
//
// A Recorder observes one shift. rollout.Spec.OnEvent must not block, so OnEvent only queues; one
// goroutine writes and syncs the journal, and another one renders the page, so that neither a
// slow disk nor a large page delays a shift. What cannot be written is one warning at the end.
//
// The other direction needs no shift: Read, Follow and List read journals, also of a shift that
// is running or whose process died; ReadStory and WriteIndex render them again.
//
// docs/journal.schema.json documents the lines. Nothing here contains a secret, because events
// contain none.
package report
