package route53

// Avoiding is avoiding.
var Avoiding = avoiding
