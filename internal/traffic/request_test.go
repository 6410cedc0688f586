package traffic_test

import (
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Two people may ask between two looks of a shift: each finds the own answer.
func TestAnswerTo(t *testing.T) {
	answers := ""
	for _, nonce := range []string{"0a", "0b", "0c", "0d"} {
		answers = traffic.WithAnswer(answers, nonce, traffic.ResultAccepted)
	}
	answers = traffic.WithAnswer(answers, "0e", traffic.ResultTooLate)
	for nonce, want := range map[string]traffic.Result{"0a": "", "0b": "", "0c": traffic.ResultAccepted, "0d": traffic.ResultAccepted, "0e": traffic.ResultTooLate, "e": ""} {
		if got, found := traffic.AnswerTo(answers, nonce); got != want || found != (want != "") {
			t.Errorf("%s: got %q, %t in %s", nonce, got, found, answers)
		}
	}
}
