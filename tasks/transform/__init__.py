"""What each person should look like in Replicon: the mapping turns Assignments into Accounts."""
