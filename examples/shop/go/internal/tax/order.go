// Package tax calls the tax library, which is written in Rust and lives in this process.
package tax

// Order is what is taxed.
type Order struct {
	Item     string `json:"item"`
	Quantity int32  `json:"quantity"`
	Cents    int64  `json:"cents"`
}
