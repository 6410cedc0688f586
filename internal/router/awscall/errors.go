package awscall

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Reason returns the message of an SDK error without its context.
func Reason(err error) string {
	if short, ok := errors.AsType[*canceledCall](err); ok {
		return short.Error()
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return fmt.Sprintf("%s: %s", api.ErrorCode(), api.ErrorMessage())
	}
	return err.Error()
}

// Code returns the API's error code, such as "AccessDenied". It is empty without an answer.
func Code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// IsRefusal reports whether the API answered with a status of 400 to 499.
func IsRefusal(err error) bool {
	answer, ok := errors.AsType[*awshttp.ResponseError](err)
	return ok && answer.HTTPStatusCode() >= 400 && answer.HTTPStatusCode() < 500
}

// OtherService returns the IAM action of the call that failed where that was one of another service,
// such as "sts:AssumeRole" for credentials.
func OtherService(err error, serviceID string) (action string, ok bool) {
	inner := innermost(err)
	if inner == nil || inner.ServiceID == serviceID {
		return "", false
	}
	return strings.ToLower(inner.ServiceID) + ":" + inner.OperationName, true
}

// innermost is the call that failed. Where getting credentials needs a call, such as
// sts:AssumeRole, its error is wrapped in that of the call itself.
func innermost(err error) *smithy.OperationError {
	op, ok := errors.AsType[*smithy.OperationError](err)
	if !ok {
		return nil
	}
	if inner := innermost(op.Err); inner != nil {
		return inner
	}
	return op
}

var (
	deniedCodes = []string{"UnauthorizedOperation", "NotAuthorized", "UnauthorizedAccess"}
	// Codes for expired and for invalid credentials: both need new ones.
	expiredCodes = []string{
		"RequestExpired", "InvalidClientTokenId", "InvalidAccessKeyId", "UnrecognizedClientException",
		"InvalidToken", "TokenRefreshRequired", "InvalidIdentityToken", "InvalidIdentityTokenException",
	}
)

// Meaning returns the error of traffic that an error of the SDK corresponds to, whatever the service;
// nil: none of them. That something does not exist is known only to a service.
func Meaning(err error) error {
	throttled := slices.ContainsFunc(retry.DefaultThrottles, func(is retry.IsErrorThrottle) bool {
		return is.IsErrorThrottle(err).Bool()
	})
	_, sso := errors.AsType[*ssocreds.InvalidTokenError](err)
	_, unreadable := errors.AsType[*smithy.DeserializationError](err)
	code := Code(err)
	switch {
	case throttled || strings.HasPrefix(code, "Throttling"):
		return traffic.ErrThrottled
	case strings.HasPrefix(code, "AccessDenied") || slices.Contains(deniedCodes, code):
		return traffic.ErrDenied
	case strings.HasPrefix(code, "ExpiredToken") || slices.Contains(expiredCodes, code) || sso:
		return traffic.ErrExpired
	case unreadable:
		return traffic.ErrIncomplete
	}
	return nil
}
