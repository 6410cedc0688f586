package provider

import (
	"context"
	"errors"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Texts for failed AWS calls and for faults of the provider itself.

// callDetail is the cause of a failed call and what to do about it.
func callDetail(err error) errorDetail {
	for _, p := range platforms() {
		if d, ok := p.detail(err); ok {
			return d
		}
	}
	return ownDetail(err, causeFact(err))
}

// ownDetail is about errors of the provider itself, and all others.
func ownDetail(err error, facts []fact) errorDetail {
	switch {
	case errors.Is(err, context.Canceled):
		return errorDetail{cause: "Terraform was interrupted.", action: "Run it again."}
	case errors.Is(err, errAccount):
		return errorDetail{
			cause:  "The credentials belong to an AWS account that is not in allowed_account_ids.",
			action: "Use credentials of an allowed account, or add the account to aws.allowed_account_ids of the provider.",
			facts:  facts,
		}
	case errors.Is(err, errSettingsUnknown):
		return errorDetail{
			cause:  "The provider configuration depends on values that are known only after apply.",
			action: "Configure the provider with known values, or apply the resources that they come from first (terraform apply -target).",
			facts:  facts,
		}
	}
	return errorDetail{cause: "A call to AWS failed.", action: "Fix what the cause names, then apply again.", facts: facts}
}

// unreadableRoutes reports routes that the data source could not read.
func unreadableRoutes(routes []traffic.Route, err error) diag.Diagnostic {
	d := callDetail(err)
	d.traffic = "could not be read."
	if errors.Is(err, traffic.ErrNotFound) {
		d.action = "Check the ARN, including its region and account, or remove it from routes."
	}
	return d.diagnostic("Cannot read the traffic of " + entryNames(routes))
}

// causeFact is the underlying error, if any.
func causeFact(err error) []fact {
	if err == nil {
		return nil
	}
	return []fact{{"Cause", err.Error()}}
}

func unreadableMemory(err error) diag.Diagnostic {
	if errors.Is(err, release.ErrMemoryVersion) {
		return errorDetail{
			cause:  "The private state of the switch was written by a newer version of the provider.",
			action: "Use that version of the provider, or a newer one.",
			facts:  causeFact(err),
		}.diagnostic("Cannot read the private state of the switch")
	}
	return errorDetail{
		cause:  "The private state of the switch is not valid.",
		action: "Remove the switch from the state (terraform state rm) and import it again. This moves no traffic; rejected and previous versions are forgotten.",
		facts:  causeFact(err),
	}.diagnostic("Cannot read the private state of the switch")
}

func unexpected(err error) diag.Diagnostic {
	return reportToDevelopers("Cannot plan the switch", causeFact(err)...)
}

// reportToDevelopers is for what only a fault of the provider can cause.
func reportToDevelopers(summary string, facts ...fact) diag.Diagnostic {
	return errorDetail{
		cause:  "This is a bug in the provider.",
		action: "Report it to the provider developers with the lines below and the configuration of the resource.",
		facts:  facts,
	}.diagnostic(summary)
}
