package awscall

import (
	"slices"
	"sync"
)

// Each runs read for every id, limit at a time, and returns a result or an error for each.
func Each[T any](ids []string, limit int, read func(id string) (T, error)) (map[string]T, map[string]error) {
	found, errs := map[string]T{}, map[string]error{}
	var mu sync.Mutex
	var work []func()
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		work = append(work, func() {
			value, err := read(id)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs[id] = err
				return
			}
			found[id] = value
		})
	}
	Concurrently(limit, work)
	return found, errs
}

// Concurrently runs all the work, limit pieces at a time.
func Concurrently(limit int, work []func()) {
	slots := make(chan struct{}, limit)
	var all sync.WaitGroup
	for _, do := range work {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			do()
		})
	}
	all.Wait()
}

// FirstOf returns the error of the first of the ids that has one; nil: none.
func FirstOf(ids []string, errs map[string]error) error {
	for _, id := range ids {
		if err := errs[id]; err != nil {
			return err
		}
	}
	return nil
}
