// Package catalogue is what the shop sells.
package catalogue

import "fmt"

// Items are named i0, i1, ...
const Items = 100

// Places says where each item lies, and what it weighs: what the cache holds.
func Places() map[string]string {
	values := map[string]string{}
	for i := range Items {
		values[fmt.Sprintf("place of i%d", i)] = fmt.Sprintf("%d-%d", i%10, i/10)
		values[fmt.Sprintf("weight of i%d", i)] = fmt.Sprint(100 + 7*i)
	}
	return values
}
